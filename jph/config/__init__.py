"""The configuration of a network: model, validation and stores."""
