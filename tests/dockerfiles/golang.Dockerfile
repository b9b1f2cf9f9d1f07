# Stands for the public image of Go where no image registry can be reached: this machine's Go, and the
# authorities that it trusts, for package registries behind a proxy of its own.
FROM debian:12-slim
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY go /usr/local/go
ENV GOPATH=/go GOTOOLCHAIN=local PATH=/go/bin:/usr/local/go/bin:$PATH \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
WORKDIR /go
