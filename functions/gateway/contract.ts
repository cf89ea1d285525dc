/** The cookie that makes a caller a visitor: a random UUID, the visitor's only secret. */
export const visitorCookie = "visitor";
