variable "project" {
  description = "The id of the Google Cloud project."
  type        = string
}

variable "name" {
  description = "The name of the account that starts jobs."
  type        = string
  default     = "groupstream-vertex"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.name))
    error_message = "The name of an account has 6 to 30 lower-case letters, digits and -, and begins with a letter."
  }
}

variable "trainer" {
  description = "The address of the account as which training runs; the reader of the datasets does."
  type        = string

  validation {
    condition     = endswith(var.trainer, ".gserviceaccount.com")
    error_message = "Give the address of a service account, such as groupstream-reader@my-project.iam.gserviceaccount.com."
  }
}

variable "workloads" {
  description = "The workers of Prefect that act as the account, as principals by what they do: {worker = \"serviceAccount:PROJECT.svc.id.goog[NAMESPACE/NAME]\"}."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for each in values(var.workloads) : can(regex("^serviceAccount:[a-z0-9-]+\\.svc\\.id\\.goog\\[[^/\\]]+/[^/\\]]+\\]$|^principal(Set)?://", each))])
    error_message = "Give each workload as serviceAccount:PROJECT.svc.id.goog[NAMESPACE/NAME], principal:// or principalSet://."
  }
}
