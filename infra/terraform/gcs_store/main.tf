# A bucket of datasets on Google Cloud, and who may do what with it.

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

resource "google_storage_bucket" "datasets" {
  name     = var.bucket
  project  = var.project
  location = var.location
  labels   = var.labels

  uniform_bucket_level_access = true # conditions need it, and no object gets rights of its own
  public_access_prevention    = "enforced"
  force_destroy               = false

  versioning {
    enabled = true # what is overwritten or removed by mistake can be brought back ...
  }

  soft_delete_policy {
    retention_duration_seconds = var.undelete_days * 86400 # ... also after the version before it was removed
  }

  lifecycle_rule { # the older states of catalogs, and what was deleted
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = var.undelete_days
      with_state                 = "ARCHIVED"
    }
  }

  lifecycle_rule { # what builds left that were killed and not run again
    action {
      type = "Delete"
    }
    condition {
      age            = var.staging_days
      matches_prefix = [module.rules.gcs_staging_prefix]
      with_state     = "LIVE"
    }
  }

  dynamic "lifecycle_rule" {
    for_each = var.report_days == null ? [] : [var.report_days]
    content {
      action {
        type = "Delete"
      }
      condition {
        age            = lifecycle_rule.value
        matches_prefix = [module.rules.gcs_reports_prefix]
        with_state     = "LIVE"
      }
    }
  }

  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 7
    }
  }
}
