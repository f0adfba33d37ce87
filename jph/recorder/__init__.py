"""The flight recorder: frames, events, overruns and files. Pure, except `recording_files`."""
