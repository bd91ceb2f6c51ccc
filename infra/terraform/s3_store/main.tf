# A bucket of datasets on AWS, and who may do what with it.

terraform {
  required_version = ">= 1.7"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.40"
    }
  }
}

module "rules" {
  source = "../access_rules"
  bucket = var.bucket
  prefix = var.prefix
}

resource "aws_s3_bucket" "datasets" {
  bucket        = var.bucket
  force_destroy = false
  tags          = var.tags
}

resource "aws_s3_bucket_public_access_block" "datasets" {
  bucket                  = aws_s3_bucket.datasets.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "datasets" {
  bucket = aws_s3_bucket.datasets.id
  rule {
    object_ownership = "BucketOwnerEnforced" # no access lists of single objects
  }
}

resource "aws_s3_bucket_versioning" "datasets" {
  bucket = aws_s3_bucket.datasets.id
  versioning_configuration {
    status = "Enabled" # what is overwritten or removed by mistake can be brought back
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "datasets" {
  bucket     = aws_s3_bucket.datasets.id
  depends_on = [aws_s3_bucket_versioning.datasets]

  rule {
    id     = "older states of catalogs, and what was deleted"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days = var.undelete_days
    }
  }

  rule {
    id     = "what killed builds left"
    status = "Enabled"
    filter {
      prefix = module.rules.s3_staging_prefix
    }
    expiration {
      days = 7
    }
  }

  rule {
    id     = "uploads that were not ended"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

resource "aws_s3_bucket_policy" "datasets" {
  bucket     = aws_s3_bucket.datasets.id
  policy     = data.aws_iam_policy_document.bucket.json
  depends_on = [aws_s3_bucket_public_access_block.datasets]
}
