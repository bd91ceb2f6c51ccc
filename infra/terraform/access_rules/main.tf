# Who may do what with which objects, as plain strings: the bucket's modules only paste them into roles.
# Nothing of a cloud is in here, so `terraform test` runs it anywhere.

terraform {
  required_version = ">= 1.7"
}

locals {
  start   = var.prefix == "" ? "" : "${var.prefix}/"
  objects = "projects/_/buckets/${var.bucket}/objects/" # how conditions of Google's name what is in a bucket
  root    = "${local.objects}${local.start}"

  pulls    = ".pulls/"   # who pulled what: written by readers, read by maintainers
  staging  = ".staging/" # what builds in progress write
  reports  = ".reports/" # what checks found
  catalogs = ["catalog.json", "catalog.html"]
}
