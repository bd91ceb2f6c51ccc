# The registry: a PostgreSQL that has no passwords. The writer signs in as its service account.

terraform {
  required_version = ">= 1.7"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.0"
    }
  }
}

locals {
  database = "groupstream"
  users    = { for role, email in var.service_accounts : role => trimsuffix(email, ".gserviceaccount.com") } # as PostgreSQL calls them
}

resource "google_sql_database_instance" "registry" {
  name                = var.name
  project             = var.project
  region              = var.region
  database_version    = "POSTGRES_16"
  deletion_protection = var.deletion_protection

  settings {
    tier                        = var.tier
    edition                     = "ENTERPRISE"
    availability_type           = var.is_highly_available ? "REGIONAL" : "ZONAL"
    disk_autoresize             = true
    deletion_protection_enabled = var.deletion_protection # also from the console and gcloud
    user_labels                 = var.labels

    database_flags {
      name  = "cloudsql.iam_authentication"
      value = "on"
    }

    ip_configuration {
      ipv4_enabled    = var.network == null # a public address that no network may use: the proxy signs in
      private_network = var.network
      ssl_mode        = "ENCRYPTED_ONLY"
    }

    backup_configuration {
      enabled                        = true
      point_in_time_recovery_enabled = true
      transaction_log_retention_days = 7
      backup_retention_settings {
        retained_backups = 14
      }
    }
  }
}

resource "google_sql_database" "registry" {
  name     = local.database
  project  = var.project
  instance = google_sql_database_instance.registry.name
}

resource "google_sql_user" "role" {
  for_each = local.users

  name     = each.value
  project  = var.project
  instance = google_sql_database_instance.registry.name
  type     = "CLOUD_IAM_SERVICE_ACCOUNT"
}

resource "google_project_iam_member" "client" {
  for_each = var.service_accounts

  project = var.project
  role    = "roles/cloudsql.client" # connects by the proxy
  member  = "serviceAccount:${each.value}"
}

resource "google_project_iam_member" "instance_user" {
  for_each = var.service_accounts

  project = var.project
  role    = "roles/cloudsql.instanceUser" # signs in to the database
  member  = "serviceAccount:${each.value}"
}
