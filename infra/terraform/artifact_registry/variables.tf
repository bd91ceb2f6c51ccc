variable "project" {
  description = "The id of the Google Cloud project."
  type        = string
}

variable "location" {
  description = "Where images lie, such as europe-west4 or europe; best where workers run."
  type        = string

  validation {
    condition     = can(regex("^(europe|us|asia|[a-z]+-[a-z]+[0-9]+)$", var.location))
    error_message = "Give a region such as europe-west4, or europe, us or asia."
  }
}

variable "name" {
  description = "The name of the repository of images."
  type        = string
  default     = "groupstream"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,20}[a-z0-9]$", var.name))
    error_message = "The name has 4 to 22 lower-case letters, digits and -, begins with a letter, and does not end with -."
  }
}

variable "readers" {
  description = "The addresses of service accounts that pull images, by what they do: {nodes = ..., dataflow = ...}."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for email in values(var.readers) : endswith(email, ".gserviceaccount.com")])
    error_message = "Give the addresses of service accounts; allUsers cannot be one."
  }
}

variable "github_repositories" {
  description = "Repositories on GitHub whose workflows push images, as OWNER/NAME. Default: none, and nobody pushes from GitHub."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for each in var.github_repositories : can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", each))])
    error_message = "Give each repository as OWNER/NAME; the rule compares it whole."
  }
}

variable "github_ref" {
  description = "The only branch or tag whose workflows push images, as GitHub's token names it."
  type        = string
  default     = "refs/heads/main"

  validation {
    condition     = can(regex("^refs/(heads|tags)/[A-Za-z0-9._/-]+$", var.github_ref))
    error_message = "Give it as refs/heads/BRANCH or refs/tags/TAG."
  }
}

variable "has_immutable_tags" {
  description = "Whether a tag stays with the image that had it first. A spec that names an image then means the same for ever."
  type        = bool
  default     = true
}

variable "keep_count" {
  description = "So many of the newest versions of each image stay, whatever else is cleaned up."
  type        = number
  default     = 10

  validation {
    condition     = var.keep_count >= 1 && floor(var.keep_count) == var.keep_count
    error_message = "keep_count is a whole number, 1 or more."
  }
}

variable "untagged_days" {
  description = "After so many days an image without a tag goes."
  type        = number
  default     = 30

  validation {
    condition     = var.untagged_days >= 1 && floor(var.untagged_days) == var.untagged_days
    error_message = "untagged_days is a whole number of days, 1 or more."
  }
}

variable "labels" {
  description = "Labels of the repository."
  type        = map(string)
  default     = {}
}
