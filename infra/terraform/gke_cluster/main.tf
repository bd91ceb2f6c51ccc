# A cluster for builds and training. Its machines have no public addresses; those for builds and those with GPUs are there only
# while a run needs them. Runs act as accounts of IAM by Workload Identity, not by keys.

terraform {
  required_version = ">= 1.7"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.0"
    }
  }
}

resource "google_container_cluster" "this" {
  name                = var.name
  project             = var.project
  location            = var.location
  network             = var.network
  subnetwork          = var.subnetwork
  networking_mode     = "VPC_NATIVE"
  deletion_protection = var.deletion_protection
  resource_labels     = var.labels

  remove_default_node_pool = true # the pools stand in node_pools.tf
  initial_node_count       = 1

  ip_allocation_policy {
    cluster_secondary_range_name  = var.pod_ranges.pods
    services_secondary_range_name = var.pod_ranges.services
  }

  private_cluster_config {
    enable_private_nodes = true
  }

  control_plane_endpoints_config { # kubectl comes by a name that asks IAM who it is; no address is open
    dns_endpoint_config {
      allow_external_traffic = true
    }
    ip_endpoints_config {
      enabled = false
    }
  }

  workload_identity_config {
    workload_pool = "${var.project}.svc.id.goog"
  }

  release_channel {
    channel = "REGULAR"
  }
}

# The machines say what they do and pull images; what a run may do is the run's own.

resource "google_service_account" "nodes" {
  project      = var.project
  account_id   = "${var.name}-nodes"
  display_name = "groupstream nodes"
  description  = "The machines of the cluster"
}

resource "google_project_iam_member" "nodes" {
  project = var.project
  role    = "roles/container.defaultNodeServiceAccount" # writes logs and metrics
  member  = "serviceAccount:${google_service_account.nodes.email}"
}
