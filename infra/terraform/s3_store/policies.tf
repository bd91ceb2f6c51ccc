# On AWS, s3:PutObject overwrites. What keeps versions as they are is the first statement of the bucket's own policy:
# nothing but a catalog is written without If-None-Match, whoever writes, be it the administrator of the account.

data "aws_iam_policy_document" "bucket" {
  statement {
    sid           = "NothingIsReplacedButCatalogs"
    effect        = "Deny"
    actions       = ["s3:PutObject"]
    not_resources = module.rules.s3_objects.catalogs
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Null"
      variable = "s3:if-none-match"
      values   = ["true"]
    }
    condition { # the parts of a larger upload know no If-None-Match; the request that ends it does
      test     = "Bool"
      variable = "s3:ObjectCreationOperation"
      values   = ["true"]
    }
  }

  statement {
    sid       = "OnlyEncrypted"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [module.rules.s3_objects.bucket, "${module.rules.s3_objects.bucket}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

data "aws_iam_policy_document" "reader" {
  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [module.rules.s3_objects.bucket]
  }

  statement {
    sid       = "Read"
    actions   = ["s3:GetObject"]
    resources = [module.rules.s3_objects.all]
  }

  statement {
    sid       = "NotPullsNorUnfinishedBuilds"
    effect    = "Deny"
    actions   = ["s3:GetObject"]
    resources = [module.rules.s3_objects.pulls, module.rules.s3_objects.staging]
  }

  statement {
    sid       = "RecordPulls" # create only: the policy of the bucket sees to that
    actions   = ["s3:PutObject"]
    resources = [module.rules.s3_objects.pulls]
  }
}

data "aws_iam_policy_document" "writer" {
  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [module.rules.s3_objects.bucket]
  }

  statement {
    sid       = "ReadAndWrite" # versions are only created: the policy of the bucket sees to that
    actions   = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"]
    resources = [module.rules.s3_objects.all]
  }

  statement {
    sid       = "RemoveWhatBuildsLeft"
    actions   = ["s3:DeleteObject"]
    resources = [module.rules.s3_objects.staging]
  }
}

data "aws_iam_policy_document" "maintainer" {
  source_policy_documents = [data.aws_iam_policy_document.writer.json]

  statement {
    sid       = "Delete"
    actions   = ["s3:DeleteObject"]
    resources = [module.rules.s3_objects.all]
  }
}
