"""The papers behind what a report used, for its list of references."""

from collections.abc import Sequence
from typing import Any

# By the beginning of the network's name, the longest that fits.
NETWORKS = {
    "alexnet": "Krizhevsky A. One weird trick for parallelizing convolutional neural "
    "networks. 2014. arXiv:1404.5997.",
    "alexnet_2012": "Krizhevsky A, Sutskever I, Hinton GE. ImageNet classification "
    "with deep convolutional neural networks. Advances in Neural Information "
    "Processing Systems 25, 2012, 1097–1105.",
    "convnext": "Liu Z, Mao H, Wu CY, et al. A ConvNet for the 2020s. CVPR 2022. "
    "arXiv:2201.03545.",
    "densenet": "Huang G, Liu Z, van der Maaten L, Weinberger KQ. Densely connected "
    "convolutional networks. CVPR 2017. doi:10.1109/CVPR.2017.243.",
    "efficientnet": "Tan M, Le QV. EfficientNet: rethinking model scaling for "
    "convolutional neural networks. ICML 2019. arXiv:1905.11946.",
    "googlenet": "Szegedy C, Liu W, Jia Y, et al. Going deeper with convolutions. CVPR "
    "2015, 1–9. doi:10.1109/CVPR.2015.7298594.",
    "mobilenet_v2": "Sandler M, Howard A, Zhu M, et al. MobileNetV2: inverted "
    "residuals and linear bottlenecks. CVPR 2018. arXiv:1801.04381.",
    "resnet": "He K, Zhang X, Ren S, Sun J. Deep residual learning for image "
    "recognition. CVPR 2016, 770–778. doi:10.1109/CVPR.2016.90.",
    "shufflenet_v2": "Ma N, Zhang X, Zheng HT, Sun J. ShuffleNet V2: practical "
    "guidelines for efficient CNN architecture design. ECCV 2018. arXiv:1807.11164.",
    "squeezenet": "Iandola FN, Han S, Moskewicz MW, et al. SqueezeNet: AlexNet-level "
    "accuracy with 50x fewer parameters. 2016. arXiv:1602.07360.",
    "swin": "Liu Z, Lin Y, Cao Y, et al. Swin Transformer: hierarchical vision "
    "transformer using shifted windows. ICCV 2021. arXiv:2103.14030.",
    "vgg": "Simonyan K, Zisserman A. Very deep convolutional networks for large-scale "
    "image recognition. ICLR 2015. arXiv:1409.1556.",
    "vit": "Dosovitskiy A, Beyer L, Kolesnikov A, et al. An image is worth 16x16 "
    "words: transformers for image recognition at scale. ICLR 2021. arXiv:2010.11929.",
}
LOSSES = {
    "focal": "Lin TY, Goyal P, Girshick R, He K, Dollár P. Focal loss for dense object "
    "detection. ICCV 2017. arXiv:1708.02002.",
}
OPTIMIZERS = {
    "adam": "Kingma DP, Ba J. Adam: a method for stochastic optimization. ICLR 2015. "
    "arXiv:1412.6980.",
    "adamw": "Loshchilov I, Hutter F. Decoupled weight decay regularization. ICLR "
    "2019. arXiv:1711.05101.",
    "rmsprop": "Tieleman T, Hinton G. Lecture 6.5, RMSProp. Coursera: Neural Networks "
    "for Machine Learning, 2012.",
    "sgd": "Robbins H, Monro S. A stochastic approximation method. Annals of "
    "Mathematical Statistics 22(3):400–407, 1951. doi:10.1214/aoms/1177729586.",
}
IMAGENET = (
    "Russakovsky O, Deng J, Su H, et al. ImageNet large scale visual recognition "
    "challenge. International Journal of Computer Vision 115:211–252, 2015. "
    "doi:10.1007/s11263-015-0816-y."
)
# Behind what sections 01 and 04 show of runs.
EVIDENCE = (
    "Guo C, Pleiss G, Sun Y, Weinberger KQ. On calibration of modern neural networks. "
    "ICML 2017. arXiv:1706.04599.",
    "Piepho HP. An algorithm for a letter-based representation of all-pairwise "
    "comparisons. Journal of Computational and Graphical Statistics 13(2):456–466, "
    "2004. doi:10.1198/1061860043515.",
    "Selvaraju RR, Cogswell M, Das A, et al. Grad-CAM: visual explanations from deep "
    "networks via gradient-based localization. ICCV 2017. arXiv:1610.02391.",
)
# Behind every table: intervals, tests, seeds, and the programs that compute.
ALWAYS = (
    "Wilson EB. Probable inference, the law of succession, and statistical inference. "
    "Journal of the American Statistical Association 22(158):209–212, 1927. "
    "doi:10.1080/01621459.1927.10502953.",
    "McNemar Q. Note on the sampling error of the difference between correlated "
    "proportions or percentages. Psychometrika 12(2):153–157, 1947. "
    "doi:10.1007/BF02295996.",
    "DeLong ER, DeLong DM, Clarke-Pearson DL. Comparing the areas under two or more "
    "correlated receiver operating characteristic curves: a nonparametric approach. "
    "Biometrics 44(3):837–845, 1988. doi:10.2307/2531595.",
    "Obuchowski NA. Nonparametric analysis of clustered ROC curve data. Biometrics "
    "53(2):567–578, 1997. doi:10.2307/2533958.",
    "Efron B. Better bootstrap confidence intervals. Journal of the American "
    "Statistical Association 82(397):171–185, 1987. doi:10.2307/2289144.",
    "Holm S. A simple sequentially rejective multiple test procedure. Scandinavian "
    "Journal of Statistics 6(2):65–70, 1979.",
    "Bouthillier X, Delaunay P, Bronzi M, et al. Accounting for variance in machine "
    "learning benchmarks. MLSys 2021. arXiv:2103.03098.",
    "Paszke A, Gross S, Massa F, et al. PyTorch: an imperative style, high-performance "
    "deep learning library. NeurIPS 2019. arXiv:1912.01703.",
)


def cited(runs: Sequence[Any]) -> list[str]:
    """List the papers on what runs used, and on how they were judged.

    Args:
        runs: Finished runs; may be none.

    Returns:
        References, sorted by their first author.
    """
    configs = [run.record["config"] for run in runs]
    found = set(ALWAYS) | (set(EVIDENCE) if runs else set())
    for config in configs:
        fitting = [name for name in NETWORKS if config["model"].startswith(name)]
        if fitting:
            found.add(NETWORKS[max(fitting, key=len)])
        for papers, key in ((LOSSES, "loss"), (OPTIMIZERS, "optimizer")):
            if config[key] in papers:
                found.add(papers[config[key]])
        if "IMAGENET" in config["weights"]:
            found.add(IMAGENET)
    return sorted(found, key=str.casefold)
