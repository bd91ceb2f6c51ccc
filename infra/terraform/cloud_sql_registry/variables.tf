variable "project" {
  description = "The id of the Google Cloud project."
  type        = string
}

variable "name" {
  description = "The name of the instance. A name that was used cannot be used again for a week."
  type        = string
  default     = "groupstream-registry"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,78}[a-z0-9]$", var.name))
    error_message = "The name has lower-case letters, digits and -, begins with a letter, and does not end with -."
  }
}

variable "region" {
  description = "Where it runs, such as europe-west4."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "Give a region such as europe-west4; a database lies in no multi-region."
  }
}

variable "service_accounts" {
  description = "The addresses of the accounts that use the registry, by what they do: {writer = ..., maintainer = ...}. Readers need no registry."
  type        = map(string)

  validation {
    condition     = alltrue([for email in values(var.service_accounts) : endswith(email, ".gserviceaccount.com")])
    error_message = "Give the addresses of service accounts, such as groupstream-writer@my-project.iam.gserviceaccount.com."
  }
}

variable "network" {
  description = "The VPC network that has private services access, as projects/PROJECT/global/networks/NAME. Default: a public address, where only the proxy gets in."
  type        = string
  default     = null
}

variable "tier" {
  description = "The machine. The registry is small: db-custom-1-3840 has one core and 3.75 GB."
  type        = string
  default     = "db-custom-1-3840"
}

variable "is_highly_available" {
  description = "Whether a second machine stands by in another zone, at twice the price."
  type        = bool
  default     = false
}

variable "deletion_protection" {
  description = "Whether Terraform, the console and gcloud refuse to delete the instance."
  type        = bool
  default     = true
}

variable "labels" {
  description = "Labels of the instance."
  type        = map(string)
  default     = {}
}
