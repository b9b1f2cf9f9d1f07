// What a Kubernetes cluster is given beside its own programs, in one binary, for the test of
// deploy/kubernetes: the cluster's DNS (CoreDNS) and what makes network policies hold (kube-router).
// It is the one by whose name it is called.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	policies "github.com/cloudnativelabs/kube-router/v2/pkg/cmd"
	"github.com/cloudnativelabs/kube-router/v2/pkg/options"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/ready"
	"github.com/spf13/pflag"
	"k8s.io/klog/v2"
)

func main() {
	switch name := filepath.Base(os.Args[0]); name {
	case "coredns":
		// The order in which they are asked, for those that are built in.
		dnsserver.Directives = []string{"errors", "ready", "kubernetes"}
		coremain.Run()
	case "kube-router":
		if err := enforcePolicies(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	default:
		fmt.Fprintf(os.Stderr, "there is no program %q in here\n", name)
		os.Exit(2)
	}
}

// enforcePolicies runs kube-router until it is told to end.
func enforcePolicies() error {
	config := options.NewKubeRouterConfig()
	config.AddFlags(pflag.CommandLine)
	klog.InitFlags(nil)
	pflag.CommandLine.AddGoFlagSet(flag.CommandLine)
	pflag.Parse()
	router, err := policies.NewKubeRouterDefault(config)
	if err != nil {
		return err
	}
	return router.Run()
}
