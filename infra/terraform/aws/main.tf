# A bucket on AWS. Copy this folder and change it, or set the variables: terraform apply.
# A registry is any PostgreSQL; where there is none, it is a file beside the process that builds.

terraform {
  required_version = ">= 1.7"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.40"
    }
  }
}

provider "aws" {
  region = var.region
}

module "store" {
  source = "../s3_store"

  bucket      = var.bucket
  prefix      = var.prefix
  readers     = var.readers
  writers     = var.writers
  maintainers = var.maintainers
}
