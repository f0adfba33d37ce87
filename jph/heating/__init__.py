"""Pure heating logic and its vocabulary: orders, wiring, leases, shedding."""
