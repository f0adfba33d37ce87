"""What programs ask: JSON, the stream, measurements. A file a subject, found by being here."""
