# Three kinds of machines. One small machine is always there, for Prefect's worker; the others come and go with runs.

locals {
  pools = merge(
    { worker = { machine_type = "e2-standard-2", min = 1, max = 2, is_spot = false, disk_gb = 50, gpu = null, taint = false } },
    { builds = merge(var.builds, { min = 0, gpu = null, taint = true }) },
    var.gpus == null ? {} : { gpus = merge(var.gpus, { min = 0, taint = false }) }, # GKE taints machines with GPUs by itself
  )
}

resource "google_container_node_pool" "this" {
  for_each = local.pools

  name     = each.key
  project  = var.project
  location = var.location
  cluster  = google_container_cluster.this.name

  initial_node_count = each.value.min

  autoscaling {
    total_min_node_count = each.value.min
    total_max_node_count = each.value.max
    location_policy      = "ANY"
  }

  management {
    auto_repair  = true
    auto_upgrade = true
  }

  node_config {
    machine_type    = each.value.machine_type
    disk_size_gb    = each.value.disk_gb
    spot            = each.value.is_spot
    service_account = google_service_account.nodes.email
    oauth_scopes    = ["https://www.googleapis.com/auth/cloud-platform"] # roles decide, not scopes
    labels          = { "groupstream/pool" = each.key }
    resource_labels = var.labels

    workload_metadata_config {
      mode = "GKE_METADATA" # a run cannot act as the machine
    }

    shielded_instance_config {
      enable_secure_boot          = true
      enable_integrity_monitoring = true
    }

    dynamic "guest_accelerator" {
      for_each = each.value.gpu == null ? [] : [each.value.gpu]
      content {
        type  = guest_accelerator.value.type
        count = guest_accelerator.value.count
        gpu_driver_installation_config {
          gpu_driver_version = "DEFAULT"
        }
      }
    }

    dynamic "taint" {
      for_each = each.value.taint ? [each.key] : []
      content {
        key    = "groupstream/pool"
        value  = taint.value
        effect = "NO_SCHEDULE" # only runs that ask for these machines start them
      }
    }
  }

  lifecycle {
    ignore_changes = [initial_node_count] # a pool that has scaled is no change
  }
}
