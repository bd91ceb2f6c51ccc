variable "project" {
  description = "The id of the Google Cloud project."
  type        = string
}

variable "name" {
  description = "The name of the account of the machines."
  type        = string
  default     = "groupstream-dataflow"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.name))
    error_message = "The name of an account has 6 to 30 lower-case letters, digits and -, and begins with a letter."
  }
}

variable "bucket" {
  description = "The bucket of the datasets."
  type        = string
}

variable "prefix" {
  description = "The folder of all datasets in the bucket; empty for the whole bucket."
  type        = string
  default     = ""
}

variable "source_buckets" {
  description = "Other buckets of which the machines read sources."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for each in var.source_buckets : can(regex("^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$", each))])
    error_message = "Give names of buckets, without gs:// and without a folder."
  }
}

variable "submitters" {
  description = "The addresses of service accounts that start builds, by what they do: {writer = ...}."
  type        = map(string)

  validation {
    condition     = alltrue([for email in values(var.submitters) : endswith(email, ".gserviceaccount.com")])
    error_message = "Give the addresses of service accounts, such as groupstream-writer@my-project.iam.gserviceaccount.com."
  }
}
