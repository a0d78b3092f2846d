"""Files in an S3 bucket, AWS's own or another's. Imported only where S3 is chosen: boto3 is big.

An upload starts when the file is whole, never before. An mp4 gets its index (`moov`) moved to the front as
the last step, which rewrites the first bytes; and nothing is stored that ffprobe has not seen whole.
"""

from shared.storage.s3.storage import S3Storage

__all__ = ["S3Storage"]
