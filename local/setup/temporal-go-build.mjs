import { goInstall } from './go-install.mjs';

/** Builds the Temporal CLI from source into `target`: about four minutes on two cores. */
export function buildTemporal(version, target, say) {
  return goInstall({
    key: 'temporal',
    module: `github.com/temporalio/cli/cmd/temporal@v${version}`,
    // The same link flags as the official release, so that `--version` tells the truth.
    ldflags: `-s -w -X github.com/temporalio/cli/temporalcli.Version=${version}`,
    target,
    packages: '1,300',
    say,
  });
}
