# shellcheck disable=SC2154,SC2034
# The part of this lesson in scripts/tour.sh, which sources it.
title "a root filesystem of its own"
run -net=lo ls /
expect "the new root is" "${output//$'\n'/ }" "$(printf '%s ' rootfs/* | sed 's#rootfs/##g; s# $##')"
