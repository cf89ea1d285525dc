import { containersOf } from "../manifest.ts";
import { functionOf } from "../project.ts";
import { isProduction, type Rule } from "../rule.ts";

/** Every image says which it is: a tag that is not "latest", and in production the digest of what we built. None is asked for at every wake. */
export const images: Rule = {
  name: "images",
  check: (build) =>
    build.pods.flatMap((pod) =>
      containersOf(pod.spec)
        .filter(({ name }) => name !== "queue-proxy")
        .flatMap(({ image, imagePullPolicy }) => {
          const [, name = "", tag, digest] =
            /^([^@]+?)(?::([\w][\w.-]*))?(?:@(sha256:[0-9a-f]{64}))?$/.exec(image) ?? [];
          const refuse = (state: string) => [`Cannot accept the image "${image}" of ${pod.of}: ${state}`];
          if (name === "" || !name.includes("/")) return refuse("should be registry/name:tag");
          if (tag === undefined) return refuse("it has no tag");
          if (tag === "latest") return refuse('"latest" is another image tomorrow');
          if (imagePullPolicy === "Always") return refuse("a registry that is down would stop every wake");
          const ours = functionOf(pod);
          if (ours === undefined) return [];
          if (!name.endsWith(`/${ours}`)) return refuse(`it is not the one of "${ours}"`);
          return isProduction(build) && digest === undefined ? refuse("it has no digest") : [];
        }),
    ),
};
