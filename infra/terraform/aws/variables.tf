variable "region" {
  description = "Where the bucket lies, such as eu-central-1."
  type        = string
}

variable "bucket" {
  description = "The name of the bucket, which nobody else on AWS may have."
  type        = string
}

variable "prefix" {
  description = "The folder of all datasets in the bucket; empty for the whole bucket."
  type        = string
  default     = "datasets"
}

variable "readers" {
  description = "Who may list and read; see s3_store."
  type        = set(string)
  default     = []
}

variable "writers" {
  description = "Who builds and publishes; see s3_store."
  type        = set(string)
  default     = []
}

variable "maintainers" {
  description = "Who may delete; see s3_store."
  type        = set(string)
  default     = []
}
