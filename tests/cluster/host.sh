#!/bin/bash
# The first process of a host, in namespaces of its own: its files, then its SSH server.
# host.sh NAME WORK REPOSITORY VENV PYTHON ROLE
set -eu
name=$1 work=$2 repository=$3 venv=$4 python=$5 role=$6

hostname "$name"
# What the host keeps of this machine is put aside first, since the folders that hold it are about to be covered.
mount -t tmpfs tmpfs /mnt
mkdir /mnt/{work,python,venv,layer,nasray}
mount --bind "$work" /mnt/work
mount --bind -o ro "$python" /mnt/python
mount -t tmpfs tmpfs /mnt/layer
mkdir /mnt/layer/{upper,work}
# The environment of this machine with a layer of the host's own over it, into which `make install` may write.
mount -t overlay overlay -o "lowerdir=$venv,upperdir=/mnt/layer/upper,workdir=/mnt/layer/work" /mnt/venv
touch -d 2000-01-01 /mnt/venv/installed
mount --bind /mnt/work/shared /mnt/nasray

for folder in /tmp /root /run /dev/shm "$repository"; do
    mkdir -p "$folder"
    mount -t tmpfs tmpfs "$folder"
done
chmod 1777 /tmp /dev/shm
chmod 700 /root  # else sshd trusts no key in it
mkdir -p "$python" "$venv" /run/sshd
mount --bind -o ro /mnt/python "$python"
mount --bind /mnt/venv "$venv"

# pip reaches no index: all packages are there already, so that it installs nasray alone, from the uploaded files.
echo "export PATH=$python/bin:\$PATH PIP_NO_INDEX=1 PIP_NO_DEPS=1 PIP_NO_BUILD_ISOLATION=0 PIP_ROOT_USER_ACTION=ignore" \
    > /root/.bashrc
mkdir -m 700 /root/.ssh
cp /mnt/work/key.pub /root/.ssh/authorized_keys
if [ "$role" = launcher ]; then
    cp /mnt/work/key /root/.ssh/id_ed25519
    cp -r /mnt/work/checkout /root/checkout
    echo "export PATH=$venv/bin:\$PATH" >> /root/.bashrc
else
    mkdir -p /root/nasray-install/.venv
    mount --bind /mnt/venv /root/nasray-install/.venv
    ssh-keygen -q -t ed25519 -N "" -f /run/ssh_host_key
    /usr/sbin/sshd -f /dev/null -h /run/ssh_host_key -E /run/sshd.log \
        -o UsePAM=no -o PidFile=none -o PermitRootLogin=prohibit-password -o Subsystem="sftp internal-sftp"
fi
touch "/mnt/work/$name.ready"
# Bash as the first process takes over and reaps what loses its parent.
while true; do
    sleep 1
done
