# Where images lie: workers read them, the CI of one repository on GitHub writes them. It signs in with the token that GitHub
# gives to each of its runs, so there is no key to keep or to lose.

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
  image_writers = length(var.github_repositories) > 0 ? 1 : 0
}

resource "google_artifact_registry_repository" "images" {
  project       = var.project
  location      = var.location
  repository_id = var.name
  description   = "Images of groupstream: workers of Prefect and of Beam"
  format        = "DOCKER"
  labels        = var.labels

  docker_config {
    immutable_tags = var.has_immutable_tags
  }

  cleanup_policies {
    id     = "keep-the-newest"
    action = "KEEP"
    most_recent_versions {
      keep_count = var.keep_count
    }
  }

  cleanup_policies {
    id     = "delete-what-has-no-tag"
    action = "DELETE"
    condition {
      tag_state  = "UNTAGGED"
      older_than = "${var.untagged_days * 86400}s"
    }
  }
}

resource "google_artifact_registry_repository_iam_member" "reader" {
  for_each = var.readers

  project    = var.project
  location   = google_artifact_registry_repository.images.location
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.reader"
  member     = "serviceAccount:${each.value}"
}

resource "google_service_account" "images" {
  count = local.image_writers

  project      = var.project
  account_id   = "${var.name}-images"
  display_name = "groupstream images"
  description  = "Pushes images from CI"
}

resource "google_artifact_registry_repository_iam_member" "writer" {
  count = local.image_writers

  project    = var.project
  location   = google_artifact_registry_repository.images.location
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.writer"
  member     = "serviceAccount:${google_service_account.images[0].email}"
}

resource "google_iam_workload_identity_pool" "github" {
  count = local.image_writers

  project                   = var.project
  workload_identity_pool_id = "${var.name}-github"
  display_name              = "GitHub, for images"
}

resource "google_iam_workload_identity_pool_provider" "github" {
  count = local.image_writers

  project                            = var.project
  workload_identity_pool_id          = google_iam_workload_identity_pool.github[0].workload_identity_pool_id
  workload_identity_pool_provider_id = "github"
  attribute_condition                = "(${join(" || ", [for each in sort(var.github_repositories) : "assertion.repository == \"${each}\""])}) && assertion.ref == \"${var.github_ref}\""
  attribute_mapping = {
    "google.subject"       = "assertion.sub"
    "attribute.repository" = "assertion.repository"
  }

  oidc {
    issuer_uri = "https://token.actions.githubusercontent.com"
  }
}

resource "google_service_account_iam_member" "github" {
  for_each = var.github_repositories

  service_account_id = google_service_account.images[0].name
  role               = "roles/iam.workloadIdentityUser"
  member             = "principalSet://iam.googleapis.com/${google_iam_workload_identity_pool.github[0].name}/attribute.repository/${each.value}"
}
