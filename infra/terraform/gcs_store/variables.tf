variable "project" {
  description = "The id of the Google Cloud project."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "The id of a project has 6 to 30 lower-case letters, digits and -; it is neither its name nor its number."
  }
}

variable "bucket" {
  description = "The name of the bucket, which nobody else on Google Cloud may have."
  type        = string
}

variable "prefix" {
  description = "The folder of all datasets in the bucket; empty for the whole bucket."
  type        = string
  default     = ""
}

variable "location" {
  description = "Where the bucket lies, such as EU, US or europe-west4; best where builds and training run."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z]+(-[a-z]+[0-9]+)?[0-9]*$", var.location))
    error_message = "Give a region such as europe-west4, or a multi-region such as EU."
  }
}

variable "labels" {
  description = "Labels of the bucket."
  type        = map(string)
  default     = {}
}

variable "undelete_days" {
  description = "For how many days what was overwritten or deleted can be brought back. Seven to ninety."
  type        = number
  default     = 14

  validation {
    condition     = var.undelete_days >= 7 && var.undelete_days <= 90
    error_message = "undelete_days is from 7 to 90, as Google keeps what is deleted."
  }
}

variable "staging_days" {
  description = "After so many days what a build wrote and did not publish goes. A build that was killed can be resumed until then."
  type        = number
  default     = 7

  validation {
    condition     = var.staging_days >= 2 && floor(var.staging_days) == var.staging_days
    error_message = "staging_days is a whole number of days, 2 or more: a build may take longer than one."
  }
}

variable "report_days" {
  description = "After so many days the reports of checks go; null keeps them."
  type        = number
  default     = null

  validation {
    condition     = var.report_days == null ? true : var.report_days >= 1 && floor(var.report_days) == var.report_days
    error_message = "report_days is a whole number of days, 1 or more, or null."
  }
}

variable "readers" {
  description = "Who may list and read, as principals of IAM: group:team@example.com, serviceAccount:..., principalSet://..."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for each in var.readers : can(regex("^(user|group|domain|serviceAccount):|^principal(Set)?://", each))])
    error_message = "Give each reader as user:, group:, domain:, serviceAccount:, principal:// or principalSet://. The bucket refuses the public: allUsers cannot be one."
  }
}

variable "reader_workloads" {
  description = "Principals of workloads that act as the reader's service account, by Workload Identity: serviceAccount:PROJECT.svc.id.goog[NAMESPACE/NAME] or principal(Set)://..."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for each in var.reader_workloads : can(regex("^serviceAccount:[a-z0-9-]+\\.svc\\.id\\.goog\\[[^/\\]]+/[^/\\]]+\\]$|^principal(Set)?://", each))])
    error_message = "Give each workload as serviceAccount:PROJECT.svc.id.goog[NAMESPACE/NAME], principal:// or principalSet://."
  }
}

variable "writer_workloads" {
  description = "The same for the service account that builds and publishes."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for each in var.writer_workloads : can(regex("^serviceAccount:[a-z0-9-]+\\.svc\\.id\\.goog\\[[^/\\]]+/[^/\\]]+\\]$|^principal(Set)?://", each))])
    error_message = "Give each workload as serviceAccount:PROJECT.svc.id.goog[NAMESPACE/NAME], principal:// or principalSet://."
  }
}

variable "maintainer_workloads" {
  description = "The same for the service account that deletes versions, such as a scheduled maintenance."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for each in var.maintainer_workloads : can(regex("^serviceAccount:[a-z0-9-]+\\.svc\\.id\\.goog\\[[^/\\]]+/[^/\\]]+\\]$|^principal(Set)?://", each))])
    error_message = "Give each workload as serviceAccount:PROJECT.svc.id.goog[NAMESPACE/NAME], principal:// or principalSet://."
  }
}

variable "writer_users" {
  description = "Who may act as the writer from a machine of their own, with: gcloud auth application-default login --impersonate-service-account=..."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for each in var.writer_users : can(regex("^(user|group):", each))])
    error_message = "Give each as user:... or group:..."
  }
}

variable "maintainer_users" {
  description = "Who may act as the maintainer, the only one that deletes versions, in the same way."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for each in var.maintainer_users : can(regex("^(user|group):", each))])
    error_message = "Give each as user:... or group:..."
  }
}
