"""Serial ports, and the telegrams of displays and meters; France's are in `jph.devices.tic`."""
