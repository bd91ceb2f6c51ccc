"""Forms: the JSON Schemas of what flows take, as Prefect's page draws them and its server checks them."""
