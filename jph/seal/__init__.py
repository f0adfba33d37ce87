"""The sealed bus: identities, roster, frames, freshness and rights."""
