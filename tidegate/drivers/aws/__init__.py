"""Amazon's services. Requests are plain data, made by pure modules; only `calls.py` imports boto3."""
