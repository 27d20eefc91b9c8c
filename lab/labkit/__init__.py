"""The lab's own tooling: images, containers and identities of the hosts the demo and the tests run against."""
