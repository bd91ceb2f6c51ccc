variable "project" {
  description = "The id of the Google Cloud project."
  type        = string
}

variable "region" {
  description = "Where the registry runs, and the bucket lies unless `location` says otherwise, such as europe-west4."
  type        = string
}

variable "location" {
  description = "Where the bucket lies, such as EU. Default: in the region."
  type        = string
  default     = null
}

variable "bucket" {
  description = "The name of the bucket."
  type        = string
}

variable "prefix" {
  description = "The folder of all datasets in the bucket."
  type        = string
  default     = "datasets"
}

variable "network" {
  description = "The network of the registry; see cloud_sql_registry."
  type        = string
  default     = null
}

variable "readers" {
  description = "Who may list and read; see gcs_store."
  type        = set(string)
  default     = []
}

variable "reader_workloads" {
  description = "Workloads that act as the reader; see gcs_store."
  type        = set(string)
  default     = []
}

variable "writer_workloads" {
  description = "Workloads that build and publish; see gcs_store."
  type        = set(string)
  default     = []
}

variable "writer_users" {
  description = "People who may act as the writer."
  type        = set(string)
  default     = []
}

variable "maintainer_users" {
  description = "People who may act as the maintainer."
  type        = set(string)
  default     = []
}
