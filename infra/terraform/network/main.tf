# A network whose machines have no public addresses: they reach Google's services from within, and the rest through a
# gateway where one is wanted. A database has an address in it.

terraform {
  required_version = ">= 1.7"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.0"
    }
  }
}

resource "google_compute_network" "this" {
  name                    = var.name
  project                 = var.project
  auto_create_subnetworks = false
}

resource "google_compute_subnetwork" "this" {
  name                     = var.name
  project                  = var.project
  region                   = var.region
  network                  = google_compute_network.this.id
  ip_cidr_range            = var.ranges.machines
  private_ip_google_access = true # to buckets, Artifact Registry and Dataflow without a public address

  secondary_ip_range {
    range_name    = "pods"
    ip_cidr_range = var.ranges.pods
  }

  secondary_ip_range {
    range_name    = "services"
    ip_cidr_range = var.ranges.services
  }
}

resource "google_compute_firewall" "dataflow" {
  name        = "${var.name}-dataflow"
  project     = var.project
  network     = google_compute_network.this.id
  description = "Workers of one Dataflow job exchange what they group; nobody else gets in."
  direction   = "INGRESS"
  source_tags = ["dataflow"]
  target_tags = ["dataflow"]

  allow {
    protocol = "tcp"
    ports    = ["12345", "12346"]
  }
}

# The way out to the internet, for sources that lie there; nothing comes in by it.

resource "google_compute_router" "out" {
  count = var.reaches_internet ? 1 : 0

  name    = "${var.name}-out"
  project = var.project
  region  = var.region
  network = google_compute_network.this.id
}

resource "google_compute_router_nat" "out" {
  count = var.reaches_internet ? 1 : 0

  name                               = "${var.name}-out"
  project                            = var.project
  region                             = var.region
  router                             = google_compute_router.out[0].name
  nat_ip_allocate_option             = "AUTO_ONLY"
  source_subnetwork_ip_ranges_to_nat = "ALL_SUBNETWORKS_ALL_IP_RANGES"
}

# Where Cloud SQL has its address.

resource "google_compute_global_address" "services" {
  name          = "${var.name}-google-services"
  project       = var.project
  network       = google_compute_network.this.id
  purpose       = "VPC_PEERING"
  address_type  = "INTERNAL"
  prefix_length = 20
}

resource "google_service_networking_connection" "services" {
  network                 = google_compute_network.this.id
  service                 = "servicenetworking.googleapis.com"
  reserved_peering_ranges = [google_compute_global_address.services.name]
}
