"""Values of devices: JSON of boards, paths, conversions, filters, elements. One for all kinds."""
