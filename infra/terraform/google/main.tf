# A bucket and a registry on Google Cloud. Copy this folder and change it, or set the variables: terraform apply.

terraform {
  required_version = ">= 1.7"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.0"
    }
  }
}

provider "google" {
  project = var.project
  region  = var.region
}

module "store" {
  source = "../gcs_store"

  project          = var.project
  bucket           = var.bucket
  prefix           = var.prefix
  location         = coalesce(var.location, var.region)
  readers          = var.readers
  reader_workloads = var.reader_workloads
  writer_workloads = var.writer_workloads
  writer_users     = var.writer_users
  maintainer_users = var.maintainer_users
}

module "registry" {
  source = "../cloud_sql_registry"

  project          = var.project
  region           = var.region
  network          = var.network
  service_accounts = { for role in ["writer", "maintainer"] : role => module.store.service_accounts[role] }
}
