# Training on Vertex AI instead of the cluster: who may start jobs there, and as whom they run.

terraform {
  required_version = ">= 1.7"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.0"
    }
  }
}

resource "google_service_account" "submitter" {
  project      = var.project
  account_id   = var.name
  display_name = "groupstream on Vertex AI"
  description  = "Prefect's worker that starts training on Vertex AI"
}

resource "google_project_iam_member" "submitter" {
  project = var.project
  role    = "roles/aiplatform.user" # starts jobs, watches and cancels them
  member  = "serviceAccount:${google_service_account.submitter.email}"
}

resource "google_service_account_iam_member" "submitter_acts_as_trainer" {
  service_account_id = "projects/${var.project}/serviceAccounts/${var.trainer}"
  role               = "roles/iam.serviceAccountUser" # of this account, and of no other of the project
  member             = "serviceAccount:${google_service_account.submitter.email}"
}

resource "google_service_account_iam_member" "workload" {
  for_each = var.workloads

  service_account_id = google_service_account.submitter.name
  role               = "roles/iam.workloadIdentityUser"
  member             = each.value
}
