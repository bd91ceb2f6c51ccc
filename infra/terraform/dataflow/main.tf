# Who runs builds on Dataflow. The machines have an account of their own, which reads datasets and sources, and writes only below
# .staging/: what is published is published by whoever started the build.

terraform {
  required_version = ">= 1.7"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.0"
    }
  }
}

module "rules" {
  source = "../access_rules"
  bucket = var.bucket
  prefix = var.prefix
}

locals {
  worker = "serviceAccount:${google_service_account.worker.email}"
}

resource "google_service_account" "worker" {
  project      = var.project
  account_id   = var.name
  display_name = "groupstream on Dataflow"
  description  = "The machines of Dataflow that build datasets"
}

resource "google_project_iam_member" "worker" {
  project = var.project
  role    = "roles/dataflow.worker" # takes work from the service and says how far it is
  member  = local.worker
}

resource "google_storage_bucket_iam_member" "worker_stages" {
  bucket = var.bucket
  role   = "roles/storage.objectUser"
  member = local.worker
  condition {
    title      = "unfinished builds only"
    expression = module.rules.gcs_conditions.staging
  }
}

resource "google_storage_bucket_iam_member" "worker_reads_datasets" {
  bucket = var.bucket
  role   = "roles/storage.objectViewer" # a version may be the source of another
  member = local.worker
  condition {
    title      = "not pulls, not unfinished builds"
    expression = module.rules.gcs_conditions.not_private
  }
}

resource "google_storage_bucket_iam_member" "worker_reads_sources" {
  for_each = var.source_buckets

  bucket = each.value
  role   = "roles/storage.objectViewer"
  member = local.worker
}

resource "google_project_iam_member" "submitter" {
  for_each = var.submitters

  project = var.project
  role    = "roles/dataflow.developer" # starts jobs, watches and cancels them
  member  = "serviceAccount:${each.value}"
}

resource "google_service_account_iam_member" "submitter_acts_as_worker" {
  for_each = var.submitters

  service_account_id = google_service_account.worker.name
  role               = "roles/iam.serviceAccountUser" # of this account, and of no other of the project
  member             = "serviceAccount:${each.value}"
}
