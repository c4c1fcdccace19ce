"""Files at an address (s3://, gs://, https://, ...): found, fetched, kept, put there."""

from isptools.storage.places import StorageError, url_of

__all__ = ["StorageError", "url_of"]
