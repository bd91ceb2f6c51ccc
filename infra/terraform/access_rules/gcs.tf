# Conditions of IAM on Google Cloud, in its Common Expression Language.
#
# To overwrite an object there takes storage.objects.create and storage.objects.delete, and whoever may overwrite an
# object may also delete it. So the right to delete is what is given by name: to writers for catalogs and for what builds
# in progress left, to maintainers for all. Everything else that a writer writes is there once and for all.
# Listing is a permission of the bucket: a role with `not_private` or `staging` lists.

output "gcs_conditions" {
  description = "not_private: all but the records of pulls and unfinished builds. pulls: those records. changeable: what writers overwrite or remove. all: everything under the prefix. staging: unfinished builds, and the list of names."
  value = {
    not_private = join(" && ", [for folder in [local.pulls, local.staging] : "!resource.name.startsWith(\"${local.root}${folder}\")"])
    pulls       = "resource.name.startsWith(\"${local.root}${local.pulls}\")"
    changeable = "resource.name.startsWith(\"${local.root}\") && (${join(" || ", concat(
      ["resource.name.startsWith(\"${local.root}${local.staging}\")"],
      [for name in local.catalogs : "resource.name.endsWith(\"/${name}\")"],
    ))})"
    all     = "resource.name.startsWith(\"${local.root}\")"
    staging = "resource.name == \"projects/_/buckets/${var.bucket}\" || resource.name.startsWith(\"${local.root}${local.staging}\")"
  }
}

output "gcs_root" {
  description = "GROUPSTREAM_ROOT of the bucket on Google Cloud."
  value       = trimsuffix("gs://${var.bucket}/${var.prefix}", "/")
}

output "gcs_staging_prefix" {
  description = "What the names of unfinished builds begin with."
  value       = "${local.start}${local.staging}"
}

output "gcs_reports_prefix" {
  description = "What the names of reports of checks begin with."
  value       = "${local.start}${local.reports}"
}
