variable "project" {
  description = "The id of the Google Cloud project."
  type        = string
}

variable "region" {
  description = "Where builds and training run, such as europe-west4."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "Give a region such as europe-west4; a subnetwork lies in no multi-region."
  }
}

variable "name" {
  description = "The name of the network and of its subnetwork."
  type        = string
  default     = "groupstream"

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,40}[a-z0-9])?$", var.name))
    error_message = "The name has up to 42 lower-case letters, digits and -, begins with a letter, and does not end with -."
  }
}

variable "ranges" {
  description = "Addresses of machines, pods and services, which no network that is joined to this one may have."
  type        = object({ machines = string, pods = string, services = string })
  default     = { machines = "10.64.0.0/20", pods = "10.68.0.0/14", services = "10.72.0.0/20" }

  validation {
    condition     = alltrue([for range in values(var.ranges) : can(cidrnetmask(range))])
    error_message = "Give each range as ADDRESS/LENGTH, such as 10.64.0.0/20."
  }
}

variable "reaches_internet" {
  description = "Whether builds may fetch sources from the internet, such as from the Hugging Face hub, through a gateway."
  type        = bool
  default     = true
}
