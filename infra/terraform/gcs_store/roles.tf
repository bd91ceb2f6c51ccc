# Four rows say it all: who, which role of Google's, on which objects. The conditions stand in access_rules.
#
#   reader      lists and reads all but .pulls/ and .staging/; creates, and never changes, what is in .pulls/
#   writer      lists, reads and creates all; overwrites or removes catalogs and .staging/ only
#   maintainer  lists, reads, creates, overwrites and removes all
#
# There are no keys: workloads come by Workload Identity, people by impersonation.

locals {
  accounts = {
    reader     = "Reads datasets, and records who pulled them"
    writer     = "Builds and publishes datasets"
    maintainer = "Deletes versions and removes what nobody needs"
  }
  readers = merge( # by keys that are known before there is an account
    { for each in var.readers : each => each },
    { "the account of readers" = "serviceAccount:${google_service_account.role["reader"].email}" },
  )
  writer = "serviceAccount:${google_service_account.role["writer"].email}"
  keeper = "serviceAccount:${google_service_account.role["maintainer"].email}"

  workloads = merge(
    { for each in var.reader_workloads : "reader ${each}" => { account = "reader", member = each } },
    { for each in var.writer_workloads : "writer ${each}" => { account = "writer", member = each } },
    { for each in var.maintainer_workloads : "maintainer ${each}" => { account = "maintainer", member = each } },
  )
  people = merge(
    { for each in var.writer_users : "writer ${each}" => { account = "writer", member = each } },
    { for each in var.maintainer_users : "maintainer ${each}" => { account = "maintainer", member = each } },
  )
}

resource "google_service_account" "role" {
  for_each = local.accounts

  project      = var.project
  account_id   = "groupstream-${each.key}"
  display_name = "groupstream ${each.key}"
  description  = each.value
}

resource "google_storage_bucket_iam_member" "reader" {
  for_each = local.readers

  bucket = google_storage_bucket.datasets.name
  role   = "roles/storage.objectViewer"
  member = each.value
  condition {
    title      = "not pulls, not unfinished builds"
    expression = module.rules.gcs_conditions.not_private
  }
}

resource "google_storage_bucket_iam_member" "reader_records_pulls" {
  for_each = local.readers

  bucket = google_storage_bucket.datasets.name
  role   = "roles/storage.objectCreator" # without storage.objects.delete: it cannot overwrite
  member = each.value
  condition {
    title      = "pulls only"
    expression = module.rules.gcs_conditions.pulls
  }
}

resource "google_storage_bucket_iam_member" "writer_reads" {
  bucket = google_storage_bucket.datasets.name
  role   = "roles/storage.objectViewer"
  member = local.writer
}

resource "google_storage_bucket_iam_member" "writer_creates" {
  bucket = google_storage_bucket.datasets.name
  role   = "roles/storage.objectCreator"
  member = local.writer
  condition {
    title      = "under the prefix"
    expression = module.rules.gcs_conditions.all
  }
}

resource "google_storage_bucket_iam_member" "writer_overwrites" {
  bucket = google_storage_bucket.datasets.name
  role   = "roles/storage.objectUser" # with storage.objects.delete, which overwriting needs
  member = local.writer
  condition {
    title      = "catalogs and unfinished builds only"
    expression = module.rules.gcs_conditions.changeable
  }
}

resource "google_storage_bucket_iam_member" "maintainer_lists" {
  bucket = google_storage_bucket.datasets.name
  role   = "roles/storage.objectViewer"
  member = local.keeper
}

resource "google_storage_bucket_iam_member" "maintainer" {
  bucket = google_storage_bucket.datasets.name
  role   = "roles/storage.objectUser"
  member = local.keeper
  condition {
    title      = "under the prefix"
    expression = module.rules.gcs_conditions.all
  }
}

resource "google_service_account_iam_member" "workload" {
  for_each = local.workloads

  service_account_id = google_service_account.role[each.value.account].name
  role               = "roles/iam.workloadIdentityUser"
  member             = each.value.member
}

resource "google_service_account_iam_member" "person" {
  for_each = local.people

  service_account_id = google_service_account.role[each.value.account].name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = each.value.member
}
