# A worker that runs builds. From the root of the repository: docker build -f infra/worker.Dockerfile -t groupstream-worker .
FROM python:3.11-slim-bookworm

WORKDIR /app
COPY requirements/platform.txt requirements/platform.txt
RUN pip install --no-cache-dir --no-deps --require-hashes -r requirements/platform.txt

COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation ./reader . \
    && useradd --create-home worker
USER worker
ENTRYPOINT ["groupstream"]
