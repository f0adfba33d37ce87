"""One pilot card: its outputs, the leases of shed masks, its report and its log. Pure."""
