"""The web page and its API: the state of the network as a browser sees it."""
