"use client";

import "../talk.js";
import { useEffect, useMemo } from "react";
import { VideoRTC } from "videortc";

// Rendered on the server first: the import and the object are made there too.
export default function Page() {
  const app = useMemo(() => new VideoRTC("https://example.com/janus"), []);
  useEffect(() => {
    globalThis.talk(VideoRTC);
  }, []);
  return <p>videortc {VideoRTC.version}, {typeof app.connect}</p>;
}
