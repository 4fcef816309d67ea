"""What happened, recorded in ML Metadata: the port to the store, the lock, the recorder and the read model."""
