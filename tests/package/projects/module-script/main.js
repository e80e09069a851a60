import "./talk.js";
import { VideoRTC } from "videortc";

globalThis.talk(VideoRTC);
