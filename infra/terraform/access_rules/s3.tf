# Patterns of ARNs on AWS. There, s3:PutObject is enough to overwrite an object; what keeps versions as they are is a
# policy of the bucket that refuses to write anything but a catalog without If-None-Match, which never replaces.

locals {
  arn    = "arn:aws:s3:::${var.bucket}"
  s3root = "${local.arn}/${local.start}"
}

output "s3_objects" {
  description = "all: everything under the prefix. private: pulls and unfinished builds. pulls, staging: these alone. catalogs: what may be overwritten."
  value = {
    bucket   = local.arn
    all      = "${local.s3root}*"
    pulls    = "${local.s3root}${local.pulls}*"
    staging  = "${local.s3root}${local.staging}*"
    catalogs = flatten([for name in local.catalogs : ["${local.s3root}${name}", "${local.s3root}*/${name}"]])
  }
}

output "s3_root" {
  description = "GROUPSTREAM_ROOT of the bucket on AWS."
  value       = trimsuffix("s3://${var.bucket}/${var.prefix}", "/")
}

output "s3_staging_prefix" {
  description = "What the keys of unfinished builds begin with."
  value       = "${local.start}${local.staging}"
}
