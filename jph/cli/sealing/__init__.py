"""Administration of a sealed house: its key, its signed config, enrolment of machines."""
