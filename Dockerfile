# The image has the executable and the libraries that it needs: no shell, no package manager.
# scripts/image-root.ts writes its file system, and test/packaging/image.test.ts runs it.
# docs/deployment.md describes how to run the image.
FROM node:22-bookworm-slim AS build
WORKDIR /src
COPY . .
RUN root=/src && . scripts/bun.sh && need_bun \
  && bun install --frozen-lockfile \
  && bun scripts/build.ts \
  && bun scripts/image-root.ts /image

FROM scratch
COPY --from=build /image/root /
COPY --from=build --chown=65532:65532 --chmod=0700 /image/data /data
ENV OTPMINT_HOST=0.0.0.0 OTPMINT_DATA_DIR=/data NODE_ENV=production
USER 65532:65532
VOLUME ["/data"]
EXPOSE 5000
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s CMD ["/otpmint", "healthcheck"]
ENTRYPOINT ["/otpmint"]
CMD ["serve"]
