# All of groupstream on Google Cloud: a bucket and a registry, and what the variables create_... ask for besides. Copy this
# folder and change it, or set the variables: terraform apply.

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

locals {
  network   = var.create_network ? module.network[0].network : var.network
  accounts  = module.store.service_accounts
  workloads = var.create_cluster ? module.cluster[0].workloads : {}

  services = concat(
    ["iam", "iamcredentials", "sqladmin", "storage"],
    var.create_network ? ["compute", "servicenetworking"] : [],
    var.create_images ? ["artifactregistry", "sts"] : [],
    var.create_dataflow ? ["dataflow"] : [],
    var.create_cluster ? ["container"] : [],
    var.create_vertex_ai ? ["aiplatform"] : [],
  )
}

resource "google_project_service" "this" {
  for_each = toset(local.services)

  project            = var.project
  service            = "${each.value}.googleapis.com"
  disable_on_destroy = false # others of the project may use it
}

module "network" {
  source = "../network"
  count  = var.create_network ? 1 : 0

  project          = var.project
  region           = var.region
  reaches_internet = var.reaches_internet
  depends_on       = [google_project_service.this]
}

module "store" {
  source = "../gcs_store"

  project              = var.project
  bucket               = var.bucket
  prefix               = var.prefix
  location             = coalesce(var.location, var.region)
  staging_days         = var.staging_days
  report_days          = var.report_days
  readers              = var.readers
  reader_workloads     = setunion(var.reader_workloads, [for role, each in local.workloads : each if role == "trainer"])
  writer_workloads     = setunion(var.writer_workloads, [for role, each in local.workloads : each if role == "builder"])
  maintainer_workloads = [for role, each in local.workloads : each if role == "maintainer"]
  writer_users         = var.writer_users
  maintainer_users     = var.maintainer_users
}

resource "google_storage_bucket_iam_member" "writer_reads_sources" { # a build lists its source before its pipeline begins
  for_each = var.source_buckets

  bucket = each.value
  role   = "roles/storage.objectViewer"
  member = "serviceAccount:${local.accounts["writer"]}"
}

module "registry" {
  source = "../cloud_sql_registry"

  project          = var.project
  region           = var.region
  network          = local.network
  service_accounts = { for role in ["writer", "maintainer"] : role => local.accounts[role] }
}

module "images" {
  source = "../artifact_registry"
  count  = var.create_images ? 1 : 0

  project             = var.project
  location            = var.region
  github_repositories = var.github_repositories
  readers = merge(
    var.create_cluster ? { nodes = module.cluster[0].node_service_account } : {},
    var.create_dataflow ? { dataflow = module.dataflow[0].service_account } : {},
    var.create_vertex_ai ? { trainer = local.accounts["reader"] } : {},
  )
  depends_on = [google_project_service.this]
}

module "dataflow" {
  source = "../dataflow"
  count  = var.create_dataflow ? 1 : 0

  project        = var.project
  bucket         = var.bucket
  prefix         = var.prefix
  source_buckets = var.source_buckets
  submitters     = { writer = local.accounts["writer"] }
  depends_on     = [google_project_service.this, module.store]
}

module "cluster" {
  source = "../gke_cluster"
  count  = var.create_cluster ? 1 : 0

  project             = var.project
  location            = coalesce(var.zone, "${var.region}-a")
  network             = local.network
  subnetwork          = var.create_network ? module.network[0].subnetwork_id : var.subnetwork
  gpus                = var.create_gpu_pool ? var.gpus : null
  builds              = var.builds
  deletion_protection = var.deletion_protection
  depends_on          = [google_project_service.this]
}

module "vertex_ai" {
  source = "../vertex_ai"
  count  = var.create_vertex_ai ? 1 : 0

  project    = var.project
  trainer    = local.accounts["reader"]
  workloads  = { for role, each in local.workloads : role => each if role == "worker" }
  depends_on = [google_project_service.this]
}
