talk(VideoRTC);
